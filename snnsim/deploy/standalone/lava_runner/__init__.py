"""A graph of plain arrays as processes of Lava 0.10; the script run.py beside this folder begins here.

All units of one model are one Lava process, and all synapses with the same settings between two such processes are one,
so a network of many layers still is a handful of operating-system processes.

graph, models     what is read from graph.h5, and what Lava calls it
lava_import       what is used of Lava
pools             which units are one process
neurons, synapses, learning, host    processes, connected; assembly is what they have in common, network all of them
mixins, records   what runs in these processes besides Lava's models, and what they write
arrivals          what the host adds to ports
session           a network running: started, watched, ended; results writes what it gave
serving           requests on standard input

Imports are relative, so that these modules are found wherever the folder lies; nothing here needs snnsim.
"""
