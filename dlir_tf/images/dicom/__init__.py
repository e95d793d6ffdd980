"""DICOM: folders of series and files of many frames, as one volume or several in time.

Slices are put in order and placed by what each of them says of itself. SimpleITK (GDCM)
decodes the voxels, of all usual transfer syntaxes.
"""

from dlir_tf.images.dicom.choice import check_choice as check_choice
from dlir_tf.images.dicom.choice import chosen_series as chosen_series
from dlir_tf.images.dicom.choice import names_a_series as names_a_series
from dlir_tf.images.dicom.choice import series_chosen as series_chosen
from dlir_tf.images.dicom.choice import split_choice as split_choice
from dlir_tf.images.dicom.series import is_dicom_file as is_dicom_file
from dlir_tf.images.dicom.series import load_dicom_file as load_dicom_file
from dlir_tf.images.dicom.series import load_dicom_series as load_dicom_series
