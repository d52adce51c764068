"""The golden model: what every layer computes, in numpy, to the last bit."""
