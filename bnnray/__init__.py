"""bnnray: attack and verify binarized neural networks on many machines."""
