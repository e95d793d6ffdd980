"""Transforms in world coordinates, and what can be done with them.

A `Transform` is a sequence of components, kept as parameters and evaluated
analytically. World coordinates are RAS+ mm; transforms pull back, from points of the
fixed image to the points of the moving image that belong there.
"""

from dlir_tf.transforms.affine import Affine as Affine
from dlir_tf.transforms.bspline import BSpline as BSpline
from dlir_tf.transforms.component import Component as Component
from dlir_tf.transforms.dense_field import DenseField as DenseField
from dlir_tf.transforms.files.chain import read_chain as read_chain
from dlir_tf.transforms.files.dispatch import TRANSFORM_SUFFIXES as TRANSFORM_SUFFIXES
from dlir_tf.transforms.files.dispatch import read_transform as read_transform
from dlir_tf.transforms.files.dispatch import write_transform as write_transform
from dlir_tf.transforms.inverse import Inverse as Inverse
from dlir_tf.transforms.transform import Transform as Transform
