"""Looking inside a network: its layers' values, and why it answers as it does."""
