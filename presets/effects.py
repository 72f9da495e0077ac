"""The after-chain's effects: pedalboard's own, each setting with its range.

Names are pedalboard's, so that its documentation holds. No pedalboard here: a preset is checked
without loading it.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.edits import Parameter


@dataclass(frozen=True)
class Effect:
    """One effect of an after-chain.

    Parameters
    ----------
    name : str
        pedalboard's.
    doc : str
    settings : tuple of Parameter
        Each may be left out: then pedalboard's own value holds. "file" is a kind of its own here.
    needs : tuple of str
        Settings that can't be left out.
    """

    name: str
    doc: str
    settings: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()

    def setting(self, name: str) -> Parameter | None:
        """The setting of that name."""
        return next((setting for setting in self.settings if setting.name == name), None)


def _number(name: str, low: float, high: float, doc: str) -> Parameter:
    return Parameter(name, "float", doc, low, high)


_FREQUENCY = _number("cutoff_frequency_hz", 10.0, 40000.0, "where it works, in Hz")
_BAND = (
    _FREQUENCY,
    _number("gain_db", -48.0, 48.0, "up or down"),
    _number("q", 0.05, 30.0, "narrowness"),
)
_MIX = _number("mix", 0.0, 1.0, "share of the effect")
_THRESHOLD = _number("threshold_db", -100.0, 0.0, "where it begins")
_ATTACK = _number("attack_ms", 0.1, 1000.0, "how fast it takes hold")
_RELEASE = _number("release_ms", 1.0, 5000.0, "how fast it lets go")
_LADDER_MODES = ("LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24")

EFFECTS: dict[str, Effect] = {
    effect.name: effect
    for effect in (
        Effect("Bitcrush", "fewer bits", (_number("bit_depth", 1.0, 32.0, "bits that are left"),)),
        Effect(
            "BrickwallLimiter",
            "nothing over a ceiling, looking ahead",
            (
                _number("ceiling_db", -60.0, 0.0, "the ceiling"),
                _RELEASE,
                _number("lookahead_ms", 0.1, 50.0, "how far it looks ahead"),
            ),
        ),
        Effect(
            "Chorus",
            "copies that waver in pitch",
            (
                _number("rate_hz", 0.01, 50.0, "wavers a second"),
                _number("depth", 0.0, 1.0, "how far"),
                _number("centre_delay_ms", 1.0, 50.0, "how late the copy is"),
                _number("feedback", -0.95, 0.95, "how much of it comes again"),
                _MIX,
            ),
        ),
        Effect("Clipping", "cut peaks", (_THRESHOLD,)),
        Effect(
            "Compressor",
            "loud parts turned down",
            (_THRESHOLD, _number("ratio", 1.0, 60.0, "how much"), _ATTACK, _RELEASE),
        ),
        Effect(
            "Convolution",
            "a recorded space, from an impulse response (user presets only)",
            (Parameter("impulse_response_filename", "file", "an audio file"), _MIX),
            needs=("impulse_response_filename",),
        ),
        Effect(
            "Delay",
            "echoes",
            (
                _number("delay_seconds", 0.0, 5.0, "until the first"),
                _number("feedback", 0.0, 0.95, "how much comes again"),
                _MIX,
            ),
        ),
        Effect("Distortion", "soft clipping", (_number("drive_db", 0.0, 60.0, "how hard"),)),
        Effect("GSMFullRateCompressor", "a mobile phone call of the nineties"),
        Effect("Gain", "louder or quieter", (_number("gain_db", -60.0, 60.0, "up or down"),)),
        Effect("HighShelfFilter", "highs up or down", _BAND),
        Effect("HighpassFilter", "lows taken away, 6 dB an octave", (_FREQUENCY,)),
        Effect("Invert", "polarity turned round"),
        Effect(
            "LadderFilter",
            "an analogue synthesizer's filter",
            (
                Parameter("mode", "choice", "what passes, and how steeply", choices=_LADDER_MODES),
                _number("cutoff_hz", 10.0, 40000.0, "where it works, in Hz"),
                _number("resonance", 0.0, 1.0, "whistle at the cutoff"),
                _number("drive", 1.0, 20.0, "how hard it is driven"),
            ),
        ),
        Effect("Limiter", "peaks held down", (_THRESHOLD, _RELEASE)),
        Effect("LowShelfFilter", "lows up or down", _BAND),
        Effect("LowpassFilter", "highs taken away, 6 dB an octave", (_FREQUENCY,)),
        Effect(
            "MP3Compressor",
            "lossy compression",
            (_number("vbr_quality", 0.0, 9.99, "0 is the best"),),
        ),
        Effect(
            "NoiseGate",
            "quiet parts turned off",
            (_THRESHOLD, _number("ratio", 1.0, 100.0, "how much"), _ATTACK, _RELEASE),
        ),
        Effect("PeakFilter", "one band up or down", _BAND),
        Effect(
            "Phaser",
            "notches that wander",
            (
                _number("rate_hz", 0.01, 50.0, "turns a second"),
                _number("depth", 0.0, 1.0, "how far"),
                _number("centre_frequency_hz", 50.0, 15000.0, "around where"),
                _number("feedback", -0.95, 0.95, "how sharp"),
                _MIX,
            ),
        ),
        Effect(
            "PitchShift",
            "higher or lower at the same speed",
            (_number("semitones", -36.0, 36.0, "up or down"),),
        ),
        Effect(
            "Resample",
            "through a lower rate and back",
            (
                _number("target_sample_rate", 1000.0, 192000.0, "the rate, in Hz"),
                Parameter(
                    "quality",
                    "choice",
                    "rough (aliases) to clean",
                    choices=("ZeroOrderHold", "Linear", "Lagrange", "WindowedSinc"),
                ),
            ),
        ),
        Effect(
            "Reverb",
            "a room",
            (
                _number("room_size", 0.0, 1.0, "how large"),
                _number("damping", 0.0, 1.0, "how soft its walls are"),
                _number("wet_level", 0.0, 1.0, "the room's level"),
                _number("dry_level", 0.0, 1.0, "the sound's own level"),
            ),
        ),
    )
}

#: What a chain may hold besides: a plugin of the user's, in a process of its own.
PLUGIN = "plugin"
PLUGIN_SUFFIXES = (".vst3", ".component")
PLUGIN_KEYS = ("plugin", "plugin_name", "stereo", "settings")
