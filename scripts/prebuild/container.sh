#!/bin/sh
# Builds and tests the Linux binary inside a container: AlmaLinux 8 (glibc 2.28) or Alpine (musl), both with clang. Run as root, from the
# package's folder. The C++ library is linked in, because systems have different ones.
set -eu
if [ -f /etc/alpine-release ]; then
  apk add --no-cache clang g++ make python3
else
  dnf module install -y -q nodejs:20
  dnf install -y -q clang gcc-c++ make python3.11
fi
export CC=clang CXX=clang++ LDFLAGS='-static-libstdc++ -static-libgcc'
npm ci --ignore-scripts
npm run build:lib
npm run prebuilds -- --tag-libc
npx jest --testPathIgnorePatterns packaging
