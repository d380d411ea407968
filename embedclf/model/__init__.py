"""The network: built in Keras, optimized in TensorFlow, scored in NumPy."""
