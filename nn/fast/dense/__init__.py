"""Dense layers and the softmax head."""
