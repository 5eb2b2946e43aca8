"""Run folder or foreign model -> int8 TFLite -> verified and measured -> signed bundle."""
