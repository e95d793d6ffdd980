"""`python -m dlir_tf` is `dlir-tf`."""

from dlir_tf.cli import main

if __name__ == "__main__":
    main()
