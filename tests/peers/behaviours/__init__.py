"""Cases of Keras's behaviour: ``CASES`` of each module maps a name to a function of the library."""
