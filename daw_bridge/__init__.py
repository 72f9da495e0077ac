"""The bridges between DAWs and a Retake server: they talk the wire, and import nothing of ours."""
