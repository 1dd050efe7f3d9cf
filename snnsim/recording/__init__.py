"""Recordings: written while a network runs, readable at any time, whole up to the last commit after a kill."""

from snnsim.recording.layout import RecordingPlan, TracePlan, WeightPlan
from snnsim.recording.reader import UnfinishedWarning
from snnsim.recording.recover import Recovered, recover
from snnsim.recording.writer import Recorder

__all__ = ["Recorder", "RecordingPlan", "Recovered", "TracePlan", "UnfinishedWarning", "WeightPlan", "recover"]
