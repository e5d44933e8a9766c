"""Runs one function of cgo_mkto_api_aastudillocgo, but for how long it waits.

It runs in the virtual environment of the client, as a process of its own, in a folder of its own:
the client stores its state in `config.ini` there. The arguments are the folder, the function and
its arguments. The result is in the file `result` of the folder.
"""

import json
import os
import sys
import time
from configparser import RawConfigParser
from pathlib import Path

from cgo_mkto_api_aastudillocgo import mkto_api

_sleep = time.sleep
time.sleep = lambda _: _sleep(0.1)  # it waits a minute between two looks at a job

folder, function, *arguments = sys.argv[1:]
os.chdir(folder)
config = RawConfigParser()
config.read("config.ini")
found = getattr(mkto_api, function)(config, *arguments)
content = found if isinstance(found, bytes) else json.dumps(found).encode()
Path("result").write_bytes(content)
