"""What training minimises: image dissimilarity, roughness of the field and more."""

from dlir_tf.losses.choice import similarity_loss as similarity_loss
from dlir_tf.losses.folding import folding_penalty as folding_penalty
from dlir_tf.losses.landmarks import landmark_error as landmark_error
from dlir_tf.losses.mind import mind_ssc as mind_ssc
from dlir_tf.losses.mutual_information import nmi as nmi
from dlir_tf.losses.overlap import soft_dice as soft_dice
from dlir_tf.losses.regularization import bending_energy as bending_energy
from dlir_tf.losses.similarity import mse as mse
from dlir_tf.losses.similarity import ncc as ncc
from dlir_tf.losses.similarity import windowed_ncc as windowed_ncc
