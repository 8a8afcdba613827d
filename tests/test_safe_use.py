"""Many threads, forked processes, other process pools and Dask: the same numbers, and no crash."""

import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import collatrisk as cr
from collatrisk.execution.once import building
from collatrisk.simulation.path_inputs import path_inputs

TERMS = cr.Terms(liquidation_threshold=0.8, cure_days=1)
LOAN = cr.Loan(cr.Mix({"ETH": 0.6, "BTC": 0.4}), collateral_value=1e6, ltv=0.7)


@pytest.fixture(scope="module")
def plan():
    model = cr.MarketModel.constant({"ETH": 0.9, "BTC": 0.7}, correlation=0.8)
    return cr.PathPlan(model, n_paths=9000, horizon_days=8, seed=3)


def answers(plan, executor=None):
    """A margin run, a haircut and a surface, as bits."""
    out = cr.run_margin(plan, LOAN, TERMS, executor=executor)
    table = cr.compare_mixes(plan, [{"ETH": 1.0}], ltv=[0.6], horizons=[8], terms=TERMS, executor=executor)
    haircut = cr.haircut(plan, {"ETH": 1.0}, level=0.99, mpor_days=2, executor=executor)
    numbers = [out.probability("margin_called").value, out.expected_shortfall("shortfall", level=0.99).value]
    return np.array([*numbers, haircut.value, *table.select_dtypes("number").to_numpy(float).ravel()]).tobytes()


@pytest.fixture(scope="module")
def alone(plan):
    return answers(plan)


def test_sixteen_threads_at_once_each_with_a_pool_of_its_own(plan, alone):
    def one(_):
        with ThreadPoolExecutor(2) as inner:
            return answers(plan, inner)

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(one, range(32))) == {alone}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_after_the_kernels_have_run_here(plan, alone, method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert answers(plan, pool) == alone
        assert pool.submit(answers, plan).result(timeout=300) == alone  # a whole run inside a worker


def test_many_threads_build_the_tables_of_a_plan_once(plan, monkeypatch):
    built = []

    def counted(*arguments):
        built.append(1)
        return path_inputs(*arguments)

    monkeypatch.setattr("collatrisk.simulation.plan.path_inputs", counted)
    fresh = replace(plan, seed=4)
    with ThreadPoolExecutor(8) as threads:
        first = list(threads.map(lambda _: fresh.read(0, 3).prices.tobytes(), range(16)))
    assert len(set(first)) == len(built) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_while_tables_are_built_does_not_wait_for_them(plan):
    locked, done = threading.Event(), threading.Event()

    def build():
        with building():
            locked.set()
            done.wait()

    thread = threading.Thread(target=build)
    thread.start()
    locked.wait()
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
            there = pool.submit(plan.read, 0, 3).result(timeout=60).prices
    finally:
        done.set()
        thread.join()
    assert there.tobytes() == plan.read(0, 3).prices.tobytes()


_DASK = """
import sys
sys.path.insert(0, {tests!r})
from distributed import Client, LocalCluster
import test_safe_use as t
if __name__ == "__main__":
    model = t.cr.MarketModel.constant({{"ETH": 0.9, "BTC": 0.7}}, correlation=0.8)
    plan = t.cr.PathPlan(model, n_paths=9000, horizon_days=8, seed=3)
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster, Client(cluster) as client:
        print(t.answers(plan, client.get_executor()).hex())
        print(client.submit(t.answers, plan).result().hex())
"""


def test_dask_as_the_executor_and_around_a_whole_run(alone, tmp_path, request):
    script = tmp_path / "on_dask.py"
    script.write_text(_DASK.format(tests=str(request.path.parent)))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [alone.hex()] * 2
