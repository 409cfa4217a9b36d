"""Model code: everything Attune learns, free of Rasa and of the database.

Trains, evaluates, exports and infers with torch, transformers, onnxruntime and faiss alone, so that a
model can be made on a GPU machine where Rasa is not installed.
"""
