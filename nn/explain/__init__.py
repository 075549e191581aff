"""Looking inside a network: its layers' outputs, and the pixels that an answer depends on."""
