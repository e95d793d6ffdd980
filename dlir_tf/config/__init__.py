"""What the user chooses: frozen, validated models; YAML in and out."""

from dlir_tf.config.reading import dump_config as dump_config
from dlir_tf.config.reading import load_config as load_config
from dlir_tf.config.reading import parse_config as parse_config
from dlir_tf.config.reading import preset_names as preset_names
from dlir_tf.config.reading import preset_text as preset_text
from dlir_tf.config.reading import read_config as read_config
from dlir_tf.config.schema import Config as Config
from dlir_tf.config.schema import InitialAlignment as InitialAlignment
from dlir_tf.config.schema import Intensity as Intensity
from dlir_tf.config.similarity import Similarity as Similarity
from dlir_tf.config.stages import CONTROL_POINTS as CONTROL_POINTS
from dlir_tf.config.stages import MATRIX as MATRIX
from dlir_tf.config.stages import AffineStage as AffineStage
from dlir_tf.config.stages import BSplineStage as BSplineStage
from dlir_tf.config.stages import LinearStage as LinearStage
from dlir_tf.config.stages import NamedStage as NamedStage
from dlir_tf.config.stages import RigidStage as RigidStage
from dlir_tf.config.stages import SimilarityStage as SimilarityStage
from dlir_tf.config.stages import Stage as Stage
from dlir_tf.config.training import Augmentation as Augmentation
from dlir_tf.config.training import Supervision as Supervision
from dlir_tf.config.training import Training as Training
