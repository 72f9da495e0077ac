"""Signatures of the ReaScript functions the bridge calls, and a check that calls keep to them.

The signatures are facts of REAPER's public API list (reascripthelp.html, Lua; REAPER 7). `[type
name]` may be left out; `type? name` may come back as nil. What isn't listed here isn't there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SIGNATURES = """
MediaItem = reaper.AddMediaItemToTrack(MediaTrack tr)
integer = reaper.AddRemoveReaScript(boolean add, integer sectionID, string scriptfn, boolean commit)
MediaItem_Take = reaper.AddTakeToMediaItem(MediaItem item)
boolean = reaper.APIExists(string function_name)
boolean = reaper.atexit(function function)
integer = reaper.CountMediaItems(ReaProject proj)
integer = reaper.CountSelectedMediaItems(ReaProject proj)
integer = reaper.CountTrackMediaItems(MediaTrack track)
integer = reaper.CountTracks(ReaProject proj)
AudioAccessor = reaper.CreateTakeAudioAccessor(MediaItem_Take take)
boolean = reaper.defer(function function)
= reaper.DeleteExtState(string section, string key, boolean persist)
= reaper.DeleteTrack(MediaTrack tr)
boolean = reaper.DeleteTrackMediaItem(MediaTrack tr, MediaItem it)
= reaper.DestroyAudioAccessor(AudioAccessor accessor)
ReaProject?, string? = reaper.EnumProjects(integer idx)
boolean, string?, string? = reaper.EnumProjExtState(ReaProject proj, string extname, integer idx)
string? = reaper.ExecProcess(string cmdline, integer timeoutmsec)
string = reaper.genGuid([string gGUID])
boolean, string, integer, integer, integer, integer, number, string = reaper.get_action_context()
MediaItem_Take? = reaper.GetActiveTake(MediaItem item)
integer = reaper.GetAudioAccessorSamples(AudioAccessor accessor, integer samplerate, \
integer numchannels, number starttime_sec, integer numsamplesperchannel, array samplebuffer)
number = reaper.GetAudioAccessorStartTime(AudioAccessor accessor)
boolean, string = reaper.GetAudioDeviceInfo(string attribute)
number = reaper.GetCursorPositionEx(ReaProject proj)
string = reaper.GetExtState(string section, string key)
boolean, string = reaper.GetItemStateChunk(MediaItem item, string str, boolean isundo)
MediaItem? = reaper.GetMediaItem(ReaProject proj, integer itemidx)
number = reaper.GetMediaItemInfo_Value(MediaItem item, string parmname)
MediaItem = reaper.GetMediaItemTake_Item(MediaItem_Take take)
PCM_source? = reaper.GetMediaItemTake_Source(MediaItem_Take take)
MediaItem_Take? = reaper.GetMediaItemTakeByGUID(ReaProject project, string guidGUID)
number = reaper.GetMediaItemTakeInfo_Value(MediaItem_Take take, string parmname)
MediaTrack = reaper.GetMediaItemTrack(MediaItem item)
string = reaper.GetMediaSourceFileName(PCM_source source)
number, boolean = reaper.GetMediaSourceLength(PCM_source source)
integer = reaper.GetMediaSourceNumChannels(PCM_source source)
PCM_source? = reaper.GetMediaSourceParent(PCM_source src)
integer = reaper.GetMediaSourceSampleRate(PCM_source source)
string = reaper.GetMediaSourceType(PCM_source source)
number = reaper.GetMediaTrackInfo_Value(MediaTrack tr, string parmname)
string = reaper.GetOS()
integer, string = reaper.GetProjExtState(ReaProject proj, string extname, string key)
string = reaper.GetProjectPathEx(ReaProject proj)
MediaItem? = reaper.GetSelectedMediaItem(ReaProject proj, integer selitem)
MediaTrack? = reaper.GetSelectedTrack(ReaProject proj, integer seltrackidx)
number, number = reaper.GetSet_LoopTimeRange2(ReaProject proj, boolean isSet, boolean isLoop, \
number start, number end, boolean allowautoseek)
boolean, string = reaper.GetSetMediaItemInfo_String(MediaItem item, string parmname, \
string stringNeedBig, boolean setNewValue)
boolean, string = reaper.GetSetMediaItemTakeInfo_String(MediaItem_Take tk, string parmname, \
string stringNeedBig, boolean setNewValue)
boolean, string = reaper.GetSetMediaTrackInfo_String(MediaTrack tr, string parmname, \
string stringNeedBig, boolean setNewValue)
number = reaper.GetSetProjectInfo(ReaProject project, string desc, number value, boolean is_set)
integer = reaper.GetTakeNumStretchMarkers(MediaItem_Take take)
MediaTrack? = reaper.GetTrack(ReaProject proj, integer trackidx)
MediaItem? = reaper.GetTrackMediaItem(MediaTrack tr, integer itemidx)
boolean, string = reaper.GetUserInputs(string title, integer num_inputs, string captions_csv, \
string retvals_csv)
= reaper.InsertTrackAtIndex(integer idx, boolean wantDefaults)
= reaper.InsertTrackInProject(ReaProject proj, integer idx, integer flags)
= reaper.Main_OnCommand(integer command, integer flag)
= reaper.MarkProjectDirty(ReaProject proj)
array = reaper.new_array(integer size)
integer = reaper.PCM_Source_BuildPeaks(PCM_source src, integer mode)
PCM_source? = reaper.PCM_Source_CreateFromFile(string filename)
= reaper.PCM_Source_Destroy(PCM_source src)
= reaper.PreventUIRefresh(integer prevent_count)
integer = reaper.RecursiveCreateDirectory(string path, integer ignored)
= reaper.set_action_options(integer flag)
= reaper.SetActiveTake(MediaItem_Take take)
= reaper.SetExtState(string section, string key, string value, boolean persist)
boolean = reaper.SetItemStateChunk(MediaItem item, string str, boolean isundo)
boolean = reaper.SetMediaItemInfo_Value(MediaItem item, string parmname, number newvalue)
boolean = reaper.SetMediaItemTake_Source(MediaItem_Take take, PCM_source source)
boolean = reaper.SetMediaItemTakeInfo_Value(MediaItem_Take take, string parmname, number newvalue)
integer = reaper.SetProjExtState(ReaProject proj, string extname, string key, string value)
integer = reaper.ShowMessageBox(string msg, string title, integer type)
= reaper.TakeFX_CopyToTake(MediaItem_Take src_take, integer src_fx, MediaItem_Take dest_take, \
integer dest_fx, boolean is_move)
integer = reaper.TakeFX_GetCount(MediaItem_Take take)
boolean = reaper.TakeIsMIDI(MediaItem_Take take)
number = reaper.time_precise()
= reaper.Undo_BeginBlock2(ReaProject proj)
= reaper.Undo_EndBlock2(ReaProject proj, string descchange, integer extraflags)
= reaper.UpdateArrange()
= reaper.UpdateItemInProject(MediaItem item)
boolean = reaper.ValidatePtr2(ReaProject proj, identifier pointer, string ctypename)

number, [number], [number], [number], [number] = gfx.dock(number v, [number wx], [number wy], \
[number ww], [number wh])
number = gfx.drawstr(string str, [number flags], [number right], [number bottom])
number = gfx.getchar([number character])
number = gfx.init(string name, [number width], [number height], [number dockstate], \
[number xpos], [number ypos])
number, number = gfx.measurestr(string str)
number = gfx.quit()
number = gfx.rect(number x, number y, number w, number h, [number filled])
number = gfx.set(number r, [number g], [number b], [number a], [number mode], [number dest])
number = gfx.setfont(number idx, [string fontface], [number sz], [number flags])
number = gfx.showmenu(string menu_string)
number = gfx.triangle(number x1, number y1, number x2, number y2, number x3, number y3)
number = gfx.update()
"""

#: Handles: what Lua sees as userdata it can only pass on.
POINTERS = {
    "MediaItem",
    "MediaItem_Take",
    "MediaTrack",
    "ReaProject",
    "PCM_source",
    "AudioAccessor",
}


class MisuseError(Exception):
    """A script called REAPER in a way that REAPER would not take."""


@dataclass(frozen=True)
class Signature:
    """One function: its name, the kinds of its arguments and of its results, what is optional."""

    name: str
    arguments: tuple[tuple[str, bool], ...]
    results: tuple[tuple[str, bool], ...]


def _results(text: str) -> tuple[tuple[str, bool], ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple((part.strip("[]?"), part[0] == "[" or part[-1] == "?") for part in parts)


def _arguments(text: str) -> tuple[tuple[str, bool], ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple((part.strip("[]").split()[0], part[0] == "[") for part in parts)


def _parse(line: str) -> Signature:
    results, name, arguments = re.fullmatch(r"(.*?)= ([\w.]+)\((.*)\)", line).groups()
    return Signature(name, _arguments(arguments), _results(results))


TABLE = {s.name: s for s in map(_parse, filter(None, SIGNATURES.strip().split("\n")))}


def _is_kind(kind: str, value: Any, is_alive: Callable[[Any], bool]) -> bool:
    if kind == "integer":
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and value == value and float(value).is_integer()
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if kind == "function":
        return callable(value)
    if kind == "identifier":
        return hasattr(value, "kind")
    if kind == "ReaProject" and (value is None or value == 0):
        return True
    if kind in POINTERS:
        return getattr(value, "kind", "") == kind and is_alive(value)
    return kind == "array"  # made in Lua by the fake itself


def check_call(name: str, values: tuple[Any, ...], is_alive: Callable[[Any], bool]) -> None:
    """MisuseError where REAPER would complain of the arguments, or crash on a dead pointer."""
    signature = TABLE[name]
    n_least = sum(not is_optional for _, is_optional in signature.arguments)
    if not n_least <= len(values) <= len(signature.arguments):
        raise MisuseError(f"{name}: {len(values)} arguments, it takes {len(signature.arguments)}")
    for index, (value, (kind, is_optional)) in enumerate(
        zip(values, signature.arguments, strict=False), 1
    ):
        if value is None and is_optional:
            continue
        if not _is_kind(kind, value, is_alive):
            shown = f"{getattr(value, 'kind', type(value).__name__)} {value!r}"
            raise MisuseError(f"{name}: argument {index} is {shown}, {kind} expected")


def check_results(name: str, given: Any) -> None:
    """AssertionError where the fake itself gives back what REAPER wouldn't."""
    kinds = TABLE[name].results
    values = given if isinstance(given, tuple) else () if not kinds else (given,)
    assert len(values) == len(kinds), f"the fake's {name} gives {given!r}"
    for value, (kind, may_be_nil) in zip(values, kinds, strict=True):
        is_right = may_be_nil if value is None else _is_kind(kind, value, lambda _: True)
        assert is_right, f"the fake's {name} gives {given!r}, {kind} expected"
