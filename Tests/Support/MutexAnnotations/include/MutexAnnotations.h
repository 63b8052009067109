// Nothing to call: what is linked stands in for functions of the toolchain's library.
