# SPDX-License-Identifier: BSD-2-Clause
"""No Python code ends the interpreter: models closed while threads compute, changed by many at
once, forked in the middle, arrays that change under a call, Ctrl-C at any moment, subclasses that
say what is not so. Each is a program of its own, for its end is what is looked at.
"""

import textwrap
import unittest

from common import COLOUR, GREY, Case, run_code

BEGIN = f"""
import ctypes, gc, os, random, signal, sys, threading, time
import numpy as np
import cae
from concurrent.futures import ThreadPoolExecutor
GREY = {GREY!r}
COLOUR = {COLOUR!r}
LARGE = np.full((4, 1, 256, 256), 0.5, np.float32)
SMALL = np.full((4, 1, 16, 16), 0.5, np.float32)

def inside(call):
    "A thread that is in the library now."
    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.02)
    return thread
"""

# Every method that lets other threads run; each must end, or say that the model is closed.
CALLS = """
FOLDER = sys.argv[1]
PIXELS = np.zeros((64, 64), np.uint8)

def many(model):
    packed, codes, state = model.compress(PIXELS), model.encode(SMALL), model.state_dict()
    gradient = np.zeros(model.parameters, np.float32)
    def save():
        model.save(f"{FOLDER}/{threading.get_ident()}.safetensors", training=True)
    def settings():
        model.settings.learning_rate = 1e-3
        return dict(model.settings)
    return [save, settings, lambda: model.denoise(LARGE), lambda: model.encode(LARGE),
            lambda: model.decode(codes, 16, 16), lambda: model.compress(PIXELS),
            lambda: model.decompress(packed), lambda: model.evaluate(LARGE),
            lambda: model.train_step(SMALL), lambda: model.train_gradient(LARGE),
            lambda: model.set_gradient(gradient), lambda: model.get_gradient(),
            lambda: model.train_apply(), lambda: model.copy(training=True).close(),
            lambda: model.to_bytes(training=True), lambda: model.state_dict(),
            lambda: model.load_state_dict(state), lambda: model.fit_code(LARGE),
            lambda: model.notes.update(a="b"), lambda: list(model.notes),
            lambda: model.code_shape(64, 64),
            lambda: (model.architecture, model.shape, model.kernels, model.step, repr(model))]
"""


class Closing(Case):
    def ends(self, code, *words, begin=BEGIN):
        """The program ends as programs do, and prints the words."""
        folder = self.make_folder()
        code = f"import sys; sys.argv = ['', {folder!r}]\n" + begin + textwrap.dedent(code)
        result = run_code(code, "-X", "faulthandler")
        self.assertEqual(result.returncode, 0, result.stderr)
        for word in words:
            self.assertIn(word, result.stdout, result.stderr)
        return result

    def test_an_exception_leaves_with_while_a_pool_computes(self):
        self.ends("""
        with ThreadPoolExecutor(4) as pool:
            try:
                with cae.Model("cae-denoise", seed=1) as model:
                    expected = model.denoise(LARGE[:1])
                    calls = [pool.submit(model.denoise, LARGE[:1]) for _ in range(12)]
                    time.sleep(0.01)
                    raise RuntimeError("over")
            except RuntimeError:
                pass
            done = [call.exception() or np.array_equal(call.result(), expected) for call in calls]
        assert done[0] is True, done  # it was under way, and its end is a good one
        closed = [end for end in done if end is not True]
        assert closed and all("closed" in str(end) for end in closed), done
        print("fine")
        """, "fine")

    def test_every_call_and_every_way_to_close(self):
        self.ends("""
        def close(model): model.close()
        def leave(model):
            with model: pass
        def again(model): model.__init__(COLOUR)
        def refuse(model):
            try: model.__init__("nonsense")
            except cae.ArchitectureError: pass
        kinds, wrong = set(), []
        def work(call, over):
            try:
                while not over.is_set():
                    try: call()
                    except cae.UnsupportedError: pass  # weights came, and the code is not fitted
            except (cae.ArgumentError, cae.ShapeError, cae.WrongModelError) as error:
                kinds.add(type(error).__name__)
            except Exception as error:
                wrong.append(repr(error))
        for number in range(12):
            model, over = cae.Model(GREY, seed=1, threads=1 + number % 2), threading.Event()
            model.train_gradient(SMALL)
            calls = many(model)
            threads = [threading.Thread(target=work, args=(call, over))
                       for call in random.Random(number).sample(calls, 8)]
            for thread in threads: thread.start()
            time.sleep(0.03)
            [close, leave, again, refuse][number % 4](model)
            time.sleep(0.01)
            over.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "it waits for ever"
        print(sorted(kinds), wrong)
        assert not wrong, wrong
        """, "ArgumentError", begin=BEGIN + CALLS)

    def test_the_last_call_frees(self):
        self.ends("""
        from cae import _library
        freed, free = [], _library.lib.cae_model_free
        def spy(address): freed.append(address); free(address)
        _library.lib.cae_model_free = spy
        model = cae.Model(GREY)
        model.close(); assert len(freed) == 1
        model = cae.Model("cae-denoise")
        thread = inside(lambda: model.denoise(LARGE))
        start = time.perf_counter()
        model.close()
        assert time.perf_counter() - start < 0.02 or not thread.is_alive(), "close() waits"
        if thread.is_alive(): assert len(freed) == 1
        thread.join(); assert len(freed) == 2
        model.close(); assert len(freed) == 2
        model = cae.Model("cae-denoise")  # the last reference is the call's
        thread = inside(lambda model=model: model.denoise(LARGE))
        del model; thread.join(); del thread; gc.collect(); assert len(freed) == 3
        print("fine")
        """, "fine")

    def test_the_end_of_the_program_while_threads_compute(self):
        self.ends("""
        import atexit
        model, other = cae.Model("cae-denoise"), cae.Model("cae-denoise")
        def work(call):
            while True: call(LARGE)
        for call in (model.denoise, model.train_step, other.denoise):
            threading.Thread(target=work, args=(call,), daemon=True).start()
        atexit.register(other.close)
        time.sleep(0.05)
        print("fine")
        """, "fine")

    def test_changes_come_one_after_another(self):
        self.ends("""
        model = cae.Model(GREY, threads=1)
        images = np.random.default_rng(1).random((8, 1, 16, 16), np.float32)
        steps = lambda: [model.train_step(images) for _ in range(50)]
        def read():
            while model.step < 200: assert np.isfinite(model.denoise(images)).all()
        threads = [threading.Thread(target=work) for work in [steps] * 4 + [read] * 2]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        alone = cae.Model(GREY)
        for _ in range(200): alone.train_step(images)
        assert model.to_bytes(training=True) == alone.to_bytes(training=True)
        print("fine")
        """, "fine")

    def test_fork_in_the_middle(self):
        self.ends("""
        for kind in ("denoise", "train_step"):
            model = cae.Model("cae-denoise", threads=2)
            thread = inside(lambda: [getattr(model, kind)(LARGE) for _ in range(3)])
            for _ in range(3):
                child = os.fork()
                if child == 0:
                    signal.alarm(20)
                    try:
                        model.denoise(SMALL[:1, :, :8, :8])
                        model.train_step(SMALL)
                        words = "works"
                    except cae.ArgumentError as error:
                        words = "forked" if "forked" in str(error) else "wrong"
                    cae.Model(GREY).train_step(SMALL)
                    model.close()
                    os._exit({"works": 1, "forked": 2}.get(words, 3))
                status = os.waitpid(child, 0)[1]
                assert os.WIFEXITED(status), (kind, status)
                assert os.WEXITSTATUS(status) in ((1,) if kind == "denoise" else (1, 2)), status
                time.sleep(0.01)
            thread.join()
        print("fine")
        """, "fine")

    def test_calls_from_within_calls(self):
        """What a handler of a signal or a finalizer does comes between two steps of a call."""
        self.ends("""
        model, calls = cae.Model(GREY), []
        others = [threading.Thread(target=lambda: [model.train_step(SMALL) for _ in range(300)]),
                  threading.Thread(target=lambda: [model.denoise(SMALL) for _ in range(600)])]
        def handler(number, frame):
            calls.append(number)
            model.settings.learning_rate = 1e-4
            model.denoise(SMALL)
            model.train_step(SMALL)
            signal.setitimer(signal.ITIMER_REAL, 0.0003)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0003)
        for thread in others: thread.start()
        for _ in range(300): model.denoise(SMALL); model.train_step(SMALL)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        for thread in others: thread.join(60); assert not thread.is_alive()
        assert model.step == 600 + len(calls), (model.step, len(calls))
        print("fine")
        """, "fine")

    def test_an_interrupt_at_any_moment_leaves_nothing_locked(self):
        self.ends("""
        model = cae.Model(GREY)
        class Ends(Exception): pass
        def handler(number, frame): raise Ends
        signal.signal(signal.SIGALRM, handler)
        over = threading.Event()
        def work():
            while not over.is_set(): model.train_step(SMALL); model.denoise(SMALL)
        thread = threading.Thread(target=work); thread.start()
        interrupted, end = 0, time.monotonic() + 1
        while time.monotonic() < end:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 1e-3))
                while True: model.denoise(SMALL); model.train_step(SMALL)
            except Ends:
                interrupted += 1
        over.set(); thread.join(30)
        assert not thread.is_alive()
        other = threading.Thread(target=lambda: (model.train_step(SMALL), model.denoise(SMALL)))
        other.start(); other.join(30); assert not other.is_alive()
        assert interrupted > 100, interrupted
        print("fine")
        """, "fine")

    def test_arrays_that_change_under_a_call(self):
        self.ends("""
        model = cae.Model("cae-denoise")
        for give in (lambda a: a, lambda a: a[:], lambda a: a.reshape(2, 1, 256, 512)):
            images, out = LARGE.copy(), np.empty_like(LARGE)
            expected = model.denoise(give(LARGE))
            thread = inside(lambda: model.denoise(give(images), out=out.reshape(expected.shape)))
            shape = images.shape
            for array in (images, out):
                while thread.is_alive():
                    try:
                        array.resize((300, 1, 512, 512), refcheck=False)
                        raise SystemExit("resized")
                    except ValueError:
                        break
            images.shape = (1, 4, 256, 256)
            thread.join()
            assert np.array_equal(out.reshape(expected.shape), expected)
        data = bytearray(model.to_bytes())
        view = memoryview(data)
        array = np.frombuffer(data, np.uint8)
        for buffer in (data, view, array):
            thread = threading.Thread(target=lambda: [cae.Model.from_bytes(buffer).close()
                                                      for _ in range(50)])
            thread.start()
            while thread.is_alive():
                data[100:120] = bytes(20)
                try:
                    data.extend(b"more")
                    raise SystemExit("extended")  # the array and the view have it
                except BufferError:
                    pass
            thread.join()
        print("fine")
        """.replace("cae.Model.from_bytes(buffer).close()", "load(buffer)").replace(
            "model = cae.Model(", """def load(buffer):
            try: cae.Model.from_bytes(buffer).close()
            except cae.CaeError: pass
        model = cae.Model(""", 1), "fine")

    def test_subclasses_that_say_what_is_not_so(self):
        self.ends("""
        class Wide(np.ndarray):
            shape = property(lambda self: (1000, 1, 256, 256))
            size = property(lambda self: 10**9)
            view = lambda self, *a: self
        class Grey(cae.Model):
            shape = (1, 4096, 4096)
            code_shape = lambda self, *a: (1, 1, 1)
            parameters = 10**9
            step = property(lambda self: 0)
        model = Grey(COLOUR)
        for call in (lambda: model.denoise(SMALL), lambda: model.train_step(SMALL),
                     lambda: model.compress(np.zeros((16, 16), np.uint8)),
                     lambda: model.encode(SMALL)):
            try: call()
            except cae.ShapeError: continue
            raise SystemExit("taken")
        assert model.encode(np.zeros((1, 3, 16, 16), np.float32)).shape == (1, 4, 8, 8)
        model.train_gradient(np.zeros((1, 3, 16, 16), np.float32))
        try: print(model.get_gradient().shape)
        except (cae.ShapeError, MemoryError): pass
        assert cae.Model(GREY).denoise(SMALL.view(Wide)).shape == SMALL.shape
        print("fine")
        """, "fine")


if __name__ == "__main__":
    unittest.main()
