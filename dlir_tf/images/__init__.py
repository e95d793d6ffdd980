"""Images: an array with its place in the world, and the files they live in.

World coordinates are RAS+ mm. ITK, ANTs and Slicer write LPS; the change of sign
happens in `flip_ras_lps` and nowhere else.
"""

from dlir_tf.images.companions import mask_on_image as mask_on_image
from dlir_tf.images.companions import read_labels_of as read_labels_of
from dlir_tf.images.companions import read_mask_of as read_mask_of
from dlir_tf.images.dicom import check_choice as check_choice
from dlir_tf.images.dicom import chosen_series as chosen_series
from dlir_tf.images.dicom import names_a_series as names_a_series
from dlir_tf.images.dicom import series_chosen as series_chosen
from dlir_tf.images.dicom import split_choice as split_choice
from dlir_tf.images.displacement import read_displacement as read_displacement
from dlir_tf.images.displacement import write_displacement as write_displacement
from dlir_tf.images.formats import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from dlir_tf.images.formats import WRITABLE_SUFFIXES as WRITABLE_SUFFIXES
from dlir_tf.images.frame import SpacingSource as SpacingSource
from dlir_tf.images.frame import SpacingWarning as SpacingWarning
from dlir_tf.images.frame import flip_ras_lps as flip_ras_lps
from dlir_tf.images.frames import Frames as Frames
from dlir_tf.images.frames import read_frames as read_frames
from dlir_tf.images.frames import write_frames as write_frames
from dlir_tf.images.grid import Grid as Grid
from dlir_tf.images.headers.beside import elsewhere_allowed as elsewhere_allowed
from dlir_tf.images.headers.beside import is_elsewhere_allowed as is_elsewhere_allowed
from dlir_tf.images.image import Image as Image
from dlir_tf.images.image import grid_of as grid_of
from dlir_tf.images.label_images import is_label_image as is_label_image
from dlir_tf.images.orientation import OrientationSource as OrientationSource
from dlir_tf.images.orientation import OrientationWarning as OrientationWarning
from dlir_tf.images.points import read_point_names as read_point_names
from dlir_tf.images.points import read_points as read_points
from dlir_tf.images.reading import read_image as read_image
from dlir_tf.images.reading import read_labels as read_labels
from dlir_tf.images.writing import write_image as write_image
