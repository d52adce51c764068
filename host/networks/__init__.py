"""What is computed: layers, built-in networks, operands, pictures, and the golden output of a layer."""
