"""From a network to a chip: fixed-point numbers, a placement on cores, and a bundle that Lava runs."""
