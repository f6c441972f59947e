"""The ground that every room stands on: values, settings, units, errors, and how a run is told to stop.

model, pauses, operations, policy      what is talked about, and every default and bound
settings, credential, signing_key      where the tenant is, and who we are to it
units, paths, errors                   what people write, and what they are told
stop, signals, trace                   how waits end early, and what log lines belong to
"""
