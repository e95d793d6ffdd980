"""What is chosen for a pair of images about which nothing else is said."""

from dlir_tf.automatic.choice import Choice as Choice
from dlir_tf.automatic.choice import check_ranks as check_ranks
from dlir_tf.automatic.choice import choose_for_pair as choose_for_pair
from dlir_tf.automatic.modality import Modality as Modality
