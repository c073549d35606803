# The book in JupyterLab, and its website at /files/_build/html/index.html:
#     docker build -t layers . && docker run --rm -p 8888:8888 layers
FROM python:3.13-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap chromium-headless-shell git make \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home reader
USER reader
WORKDIR /home/reader/layers

# Where pip looks; an index with builds of torch for the CPU saves four gigabytes.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY --chown=reader . .
RUN make book

EXPOSE 8888
CMD [".venv/bin/python", "-m", "jupyterlab", "--config=tools/lab.py", \
     "--ip=0.0.0.0", "--no-browser", "index.ipynb"]
