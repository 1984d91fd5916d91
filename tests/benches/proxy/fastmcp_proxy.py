"""FastMCP's proxy in front of a server over stdio: python fastmcp_proxy.py SERVER [ARGUMENT...]."""

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

command, *arguments = sys.argv[1:]
create_proxy(StdioTransport(command, arguments)).run(show_banner=False)
