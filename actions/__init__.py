"""The action server: custom actions on rasa-sdk, without Rasa, TensorFlow or torch.

Started by `attune run`, or by hand with `python -m rasa_sdk --actions actions`.
"""
