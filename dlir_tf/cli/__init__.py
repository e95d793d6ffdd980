"""The command `dlir-tf`: one module per subcommand, imported when it is called."""

from dlir_tf.cli.main import main as main
