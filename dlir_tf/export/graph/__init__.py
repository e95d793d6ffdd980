"""Registration as a TensorFlow graph, from the scanner's voxels to millimetres.

Each module repeats one that works on arrays, for one pair at a time: `intensities`
and `working_pair` do what `dlir_tf.pairs.preprocessing` does, `grid` what
`dlir_tf.pairs.working_grid` does, `splines` and `mapping` what `dlir_tf.transforms`
does. Matrices are float64, voxels float32. `signatures` puts them together.
"""
