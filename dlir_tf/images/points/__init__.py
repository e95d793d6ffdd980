"""Landmarks and the files they live in: CSV, and the markups of 3D Slicer."""

from dlir_tf.images.points.csv_points import CsvPoints as CsvPoints
from dlir_tf.images.points.markups import MarkupPoints as MarkupPoints
from dlir_tf.images.points.mesh import MeshPoints as MeshPoints
from dlir_tf.images.points.meshes import is_mesh_name as is_mesh_name
from dlir_tf.images.points.names import read_point_names as read_point_names
from dlir_tf.images.points.reading import PointFile as PointFile
from dlir_tf.images.points.reading import Space as Space
from dlir_tf.images.points.reading import is_markups_name as is_markups_name
from dlir_tf.images.points.reading import read_point_file as read_point_file
from dlir_tf.images.points.reading import read_points as read_points
from dlir_tf.images.points.shapes import SurfacePoints as SurfacePoints
from dlir_tf.images.points.shapes import is_shape_name as is_shape_name
