"""What models are trained on: files of a data folder, as plain values."""
