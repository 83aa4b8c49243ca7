"""The service behind `dermoscope serve`: a local web page and the REST interface `/v1`.

Needs the extra `serve`; FastAPI and uvicorn are loaded only by who serves.
"""
