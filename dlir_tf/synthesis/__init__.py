"""Synthetic pairs of images, made on the device that trains, whose motion is known.

After the idea of SynthMorph: label maps of random shapes and of atlases, deformed at
random, painted with random intensities. Networks that learn from them know no organ and
no scanner.

Reference:

- Hoffmann et al. (2022), "SynthMorph: learning contrast-invariant registration without
  acquired images", IEEE TMI 41(3). https://doi.org/10.1109/TMI.2021.3116879
"""
