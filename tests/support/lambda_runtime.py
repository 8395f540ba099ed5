"""A stand-in for Lambda's runtime, run as a program: `python -I -S lambda_runtime.py CODE RUNTIME`.

CODE is the unpacked package, RUNTIME what Lambda brings itself (boto3); nothing else but the standard library can be
imported. Each line of the input is `{"handler", "event"}`, each line of the output `{"result"}`; the handler `modules`
is the list of the modules that are loaded. The log
goes to standard error, one JSON object a line with the extra fields at its top, as Lambda writes it:
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import importlib
import json
import logging
import sys
from typing import Any

PLAIN = vars(logging.makeLogRecord({})).keys()


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in vars(record).items() if name not in PLAIN}
        return json.dumps({"message": record.getMessage(), "trace": record.exc_text or str(record.exc_info), **extra})


def main() -> None:
    sys.path[:0] = sys.argv[1:3]
    log = logging.StreamHandler()
    log.setFormatter(JSONFormatter())
    logging.basicConfig(handlers=[log], level=logging.INFO)
    for line in sys.stdin:
        call = json.loads(line)
        result = sorted(sys.modules) if call["handler"] == "modules" else handled(call["handler"], call["event"])
        sys.stdout.write(json.dumps({"result": result}) + "\n")
        sys.stdout.flush()


def handled(path: str, event: Any) -> Any:
    module, _, name = path.partition(".")
    handler: Any = getattr(importlib.import_module(module), name)
    return handler(event, None)


if __name__ == "__main__":
    main()
