# SPDX-License-Identifier: BSD-2-Clause
"""One model and many threads, and models across fork() and in processes that were spawned."""

import multiprocessing
import os
import sys
import threading
import time
import unittest

from common import GREY, PACKAGE, Case, cae, np, pictures, run_code, run_python, trained


class Threads(Case):
    def test_four_threads_share_a_model(self):
        model = trained()
        model.settings["threads"] = 2
        inputs = [pictures(4, 1, 40, 40 + i, seed=i) for i in range(4)]
        expected = [model.denoise(images) for images in inputs]
        wrong = []

        def work(index):
            try:
                for _ in range(25):
                    if not np.array_equal(model.denoise(inputs[index]), expected[index]):
                        wrong.append(index)
            except Exception as error:  # a thread's exception would vanish
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_the_interpreter_lock_is_released(self):
        """While one thread is inside a long call, another one runs Python all the time."""
        model, images = cae.Model("cae-denoise", seed=1), pictures(1, 1, 1024, 1024)
        for call in (lambda: model.denoise(images), lambda: model.train_step(images)):
            stamps, over = [], threading.Event()

            def work():
                while not over.is_set():
                    stamps.append(time.perf_counter())
                    time.sleep(0.001)

            worker = threading.Thread(target=work)
            worker.start()
            start = time.perf_counter()
            call()
            end = time.perf_counter()
            over.set()
            worker.join()
            tenths = {int(10 * (stamp - start) / (end - start)) for stamp in stamps
                      if start <= stamp < end}
            # The first and last may fall outside the call itself.
            self.assertGreaterEqual(len(tenths & set(range(1, 9))), 4, (tenths, end - start))

    def test_four_calls_on_one_model_run_at_once(self):
        model, images = cae.Model("cae-denoise", seed=1), pictures(4, 1, 512, 512)
        expected, results = model.denoise(images), [None] * 4
        spans, barrier = [None] * 4, threading.Barrier(4)

        def work(index):
            barrier.wait()
            start = time.perf_counter()
            results[index] = model.denoise(images)
            spans[index] = start, time.perf_counter()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        processor = time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        processor = time.process_time() - processor
        for result in results:
            np.testing.assert_array_equal(result, expected)
        # One after another they would share no time; at once they share most of it, on whatever
        # processors are free.
        begun, ended = max(start for start, _ in spans), min(end for _, end in spans)
        shortest = min(end - start for start, end in spans)
        self.assertGreater(ended - begun, shortest / 2)
        whole = max(end for _, end in spans) - min(start for start, _ in spans)
        print(f"4 calls at once: {processor / whole:.2f} processors busy", file=sys.stderr)

    def test_errors_belong_to_their_thread(self):
        texts, barrier = {}, threading.Barrier(2)

        def work(architecture):
            for _ in range(50):
                barrier.wait()
                try:
                    cae.Model(architecture)
                except cae.CaeError as error:
                    texts.setdefault(architecture, set()).add(str(error))

        names = ["input 1 8 8\nfirst\n", "input 1 8 8\nsecond\n"]
        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([len(texts[name]) for name in names], [1, 1])
        self.assertNotEqual(texts[names[0]], texts[names[1]])


FORKED = """
import multiprocessing, sys
import numpy as np
import cae

images = np.full((8, 1, 16, 16), 0.25, np.float32)

def child(queue, model):
    if model is None:
        model = cae.Model({architecture!r}, seed=1)
        model.settings["threads"] = 2
        model.train_step(images)
    queue.put(model.denoise(images).tobytes())
    queue.put(model.train_step(images))

def run(context, model):
    queue = context.Queue()
    process = context.Process(target=child, args=(queue, model))
    process.start()
    result = queue.get(timeout=60), queue.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0, process.exitcode
    return result

context = multiprocessing.get_context("fork")
before = run(context, None)                 # the library is loaded, but was never used
model = cae.Model({architecture!r}, seed=1)
model.settings["threads"] = 2
model.train_step(images)
after = [run(context, model) for _ in range(5)]
mine = model.denoise(images).tobytes(), model.train_step(images)
assert all(result == mine for result in [before, *after])
print("same in all", 1 + len(after), "children")
"""

SPAWNED = """
import multiprocessing
import numpy as np
import cae

images = np.full((8, 1, 16, 16), 0.25, np.float32)

def child(model):
    return model.step, model.denoise(images).tobytes(), model.train_step(images)

if __name__ == "__main__":
    model = cae.Model({architecture!r}, seed=1)
    model.train_step(images)
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        results = pool.map_async(child, [model] * 4).get(60)
    mine = child(model)
    assert all(result == mine for result in results), results
    print("same in all")
"""


class Processes(Case):
    def test_fork_before_and_after_use(self):
        result = run_code(FORKED.format(architecture=GREY))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("same in all 6 children", result.stdout)

    def test_models_travel_to_other_processes(self):
        model, images = trained(), pictures()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map_async(model.denoise, [images, images]).get(60)
        for result in results:
            np.testing.assert_array_equal(result, model.denoise(images))

    def test_models_travel_to_processes_that_were_spawned(self):
        script = os.path.join(self.make_folder(), "program.py")
        for method in ("spawn", "forkserver"):
            with open(script, "w", encoding="utf-8") as file:
                file.write(SPAWNED.format(architecture=GREY, method=method))
            result = run_python(script, PYTHONPATH=PACKAGE)
            self.assertEqual((result.stdout, result.stderr), ("same in all\n", ""), method)

    def test_fork_while_another_thread_is_inside(self):
        model, images = cae.Model("cae-denoise", seed=1, threads=2), pictures(1, 1, 512, 512)
        expected, over, wrong = model.denoise(images), threading.Event(), []

        def work():
            while not over.is_set():
                if not np.array_equal(model.denoise(images), expected):
                    wrong.append("other pixels")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            context = multiprocessing.get_context("fork")
            for _ in range(5):
                queue = context.SimpleQueue()
                process = context.Process(
                    target=lambda q: q.put(np.array_equal(model.denoise(images), expected)),
                    args=(queue,))
                process.start()
                process.join(60)
                self.assertEqual(process.exitcode, 0)
                self.assertTrue(queue.get())
        finally:
            over.set()
            thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
