"""gunicorn's configuration for ``--preload`` with gevent, whose patches must come before all else.

Without it, gevent looks at every object there is when a worker starts, and stumbles over the
backend's lazy GEOS library where that is not installed.
"""

from gevent import monkey

monkey.patch_all()
