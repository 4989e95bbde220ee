"""The Python client against the worked example of PROTOCOL.md, over a socket pair played by this test. Run: python3 otpring_client_test.py"""

import pathlib
import re
import socket
import tempfile
import threading
import unittest

import otpring_client as client

PAGE = pathlib.Path(__file__).parents[2] / "include" / "otpring" / "PROTOCOL.md"
SESSION = 0x1122334455667788


def example(label: str) -> bytes:
    return bytes.fromhex(re.search(rf"```hex {label}\n(.*?)```", PAGE.read_text(), re.S)[1])


class WorkedExample(unittest.TestCase):
    def test_the_frames_are_those_of_the_page(self):
        first = client.query("Demo Bank", "ana", "755224", client.source_hash("192.0.2.1"), True)
        second = client.query("Demo Bank", "ana", "012345")
        pair = client.pair("Demo Bank", "ana", "287082", "359152")
        self.assertEqual(client.hello(), example("hello"))
        self.assertEqual(client.hello(session=SESSION), example("hello-again"))
        self.assertEqual(client.frame(client.VERIFY, first + second, count=2, tag=1024, session=SESSION, sequence=1),
                         example("verify"))
        self.assertEqual(client.frame(client.RESYNC, pair, count=1, tag=2048, session=SESSION, sequence=2),
                         example("resync"))
        self.assertEqual(client.frame(client.VERIFY, client.query_required("Demo Bank", "ana"), count=1, tag=3072, session=SESSION,
                                      sequence=3), example("required"))
        self.assertEqual(client.frame(client.OCRA, client.ocra("Demo Bank", "ana", "237653", "00000000"), count=1, tag=4096,
                                      session=SESSION, sequence=4), example("ocra"))
        self.assertEqual(client.frame(client.ADMIN, b'{"act":"status"}', tag=5), example("admin"))
        wait = b'{"act":"wait","items":[{"challenge":"AAECAwQFBgcICQoLDA0ODw","session":"s1"}]}'
        self.assertEqual(client.frame(client.QUESTION, wait, count=1, tag=6), example("question"))

    def test_a_lost_connection_is_retried_with_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/s"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(path)
            listener.listen()
            frames = []

            def serve():
                for turn in range(2):
                    peer, _ = listener.accept()
                    peer.recv(64, socket.MSG_WAITALL)
                    answer = bytearray(example("hello-answer"))
                    answer[38] = turn
                    peer.sendall(answer)
                    frames.append(peer.recv(64, socket.MSG_WAITALL))
                    if turn:
                        reply = client.ANSWER.pack(1, 0, 0, 0, 7 << 14)
                        tag, slot = frames[1][8:16], frames[1][28:30]
                        peer.sendall(client.frame(client.VERIFY_ANSWER, reply, count=1, session=SESSION, sequence=1,
                                                  tag=int.from_bytes(tag, "little"), slot=slot[0]))
                    peer.close()

            thread = threading.Thread(target=serve)
            thread.start()
            with client.VerifyClient(path) as verifier:
                self.assertEqual(verifier.verify("Demo Bank", "ana", "755224").verdict, "ACCEPTED")
                self.assertEqual(verifier.verify("Demo Bank", "ana", " 55224").verdict, "MALFORMED")
            thread.join()
            listener.close()
            self.assertEqual(frames[0], frames[1])

    def test_an_error_frame_is_told_by_name(self):
        ours, theirs = socket.socketpair()
        connection = client.Connection.__new__(client.Connection)
        connection.socket = ours
        theirs.sendall(example("error"))
        with self.assertRaises(client.ProtocolError) as caught:
            connection.receive()
        self.assertEqual((caught.exception.name, caught.exception.kind, caught.exception.offset), ("SESSION", 3, 16))
        ours.close()
        theirs.close()


if __name__ == "__main__":
    unittest.main()
