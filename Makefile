# make demo = the whole job on synthetic lives; make test = every test, plugins' too. Both build .venv first if needed.
# A file's tests run in one process, so that what its fixtures make is made once.
PROJECTS = pyproject.toml synthetic_data/pyproject.toml $(wildcard plugins/*/pyproject.toml)
EDITABLE = -e '.[dev]' -e ./synthetic_data $(patsubst %/pyproject.toml,-e ./%,$(wildcard plugins/*/pyproject.toml))

demo: .venv/ready
	.venv/bin/seqsae demo
test: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 15 --durations-min 10
.venv/ready: $(PROJECTS)
	python3 -m venv .venv
	.venv/bin/pip install -q $(EDITABLE)
	touch $@
bench: .venv/ready .venv-bench/ready
	.venv/bin/python benchmarks/train_peers.py
# The libraries that benchmarks compare with. torch stands in the same command as they, or pip takes another build of it;
# those of the second command name packages for plots and vision that they train without (benchmarks/peers/stubs.py).
.venv-bench/ready: pyproject.toml
	python3 -m venv .venv-bench
	.venv-bench/bin/pip install -q torch==2.13.0 sae-lens==6.54.12 eai-sparsify==1.3.3 -e .
	.venv-bench/bin/pip install -q --no-deps dictionary-learning==0.1.0 overcomplete==0.3.0
	touch $@
clean:
	rm -rf .venv .venv-bench runs
.PHONY: demo test bench clean
