"""Pruning, shared weights and Huffman codes, after Han, Mao and Dally, "Deep Compression" (ICLR 2016)."""
