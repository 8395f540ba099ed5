"""Published notes: of golang.org/x/mod/sumdb/note (note_test.go, BSD-3-Clause) and of C2SP (tlog-cosignature)."""

from base64 import b64decode
from typing import Final

TEXT: Final = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_VKEY: Final = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED: Final = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER: Final = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_VKEY: Final = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH: Final = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
SOFA: Final = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)

_NOTE: Final = f"{TEXT}\n{PETER}"

BAD_NOTES: Final[list[bytes]] = [
    *(
        text.encode()
        for text in (
            # of x/mod
            TEXT,
            TEXT + "\n",
            _NOTE[:-1],
            "\x01" + _NOTE,
            TEXT + "\n" + PETER.replace("PeterNeumann", "Bad Name"),
            _NOTE + "Unexpected line.\n",
            TEXT + "\n" + PETER * 101,
            # by the text of the specification
            "",
            "\n",
            PETER,
            _NOTE.replace("\n", "\r\n"),
            _NOTE.replace(" ", "\t"),
            _NOTE.replace("— P", "- P"),
            _NOTE.replace("— P", "—  P"),
            _NOTE.replace("x08go", " x08go"),
            TEXT + "\n" + PETER.replace("PeterNeumann", "Peter+Neumann"),
            TEXT + "\n" + PETER.replace("PeterNeumann", "Peter\u2003Neumann"),
            TEXT + "\n" + PETER.replace("PeterNeumann ", ""),
            _NOTE + "\n",
            _NOTE.replace("nAM=", "nAM"),
            _NOTE.replace("nAM=", "nAN="),  # not canonical: bits beyond the last byte
            _NOTE.replace("x08go", "x08g-"),
            _NOTE.replace("x08go", "x08\u00e9"),
            TEXT + "\n— PeterNeumann x08gow==\n",  # a key id without a signature
            TEXT + "\n— PeterNeumann =\n",
        )
    ),
    b"\xff" + _NOTE.encode(),
]
