"""What a model is taught: each objective draws its own examples and gives their loss."""
