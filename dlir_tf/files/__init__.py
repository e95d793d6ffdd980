"""Reading what has an end, and writing files whole or not at all."""

from dlir_tf.files.checks import check_folder as check_folder
from dlir_tf.files.checks import check_new_folder as check_new_folder
from dlir_tf.files.checks import check_output as check_output
from dlir_tf.files.checks import make_folder as make_folder
from dlir_tf.files.disk import disk_errors as disk_errors
from dlir_tf.files.disk import go_on_writing as go_on_writing
from dlir_tf.files.disk import reserve as reserve
from dlir_tf.files.disk import write_errors as write_errors
from dlir_tf.files.drafts import is_draft as is_draft
from dlir_tf.files.drafts import known_as as known_as
from dlir_tf.files.drafts import remove_abandoned as remove_abandoned
from dlir_tf.files.locks import LOCK as LOCK
from dlir_tf.files.locks import locked as locked
from dlir_tf.files.stopping import Terminated as Terminated
from dlir_tf.files.stopping import check_not_stopped as check_not_stopped
from dlir_tf.files.stopping import stoppable as stoppable
from dlir_tf.files.text import TEXT as TEXT
from dlir_tf.files.text import name_for_itk as name_for_itk
from dlir_tf.files.writing import replacing as replacing
from dlir_tf.files.writing import write_together as write_together
