type SystemError = NodeJS.ErrnoException & { dest?: string; address?: string; port?: number };

/** What the operating system refused, in a sentence that says what to do; other errors as they are. `named`: the file, where it is known. */
export function systemErrorWords(error: Error, named?: string): string {
  const { code, path: file = named, dest, address, port } = error as SystemError;
  if (code === undefined) return error.message;
  const words =
    address === undefined
      ? file === undefined || dest !== undefined
        ? undefined
        : OF_FILES[code]?.(file)
      : OF_ADDRESSES[code]?.(`${address}:${port}`);
  return words === undefined ? error.message : `${words} (${code})`;
}

const OF_FILES: Readonly<Record<string, (file: string) => string>> = {
  ENOENT: (file) => `there is no file or folder ${file}`,
  EACCES: (file) => `this user may not use ${file}: mend its permissions, or be another user`,
  EISDIR: (file) => `${file} is a folder: expected a file`,
  EROFS: (file) => `${file} is on a disk that can only be read: name another place`,
  ENOSPC: (file) => `the disk of ${file} is full: make room`,
  ENOTDIR: (file) => `${file}: a part of this path is a file: expected a folder`,
};

const OF_ADDRESSES: Readonly<Record<string, (where: string) => string>> = {
  EADDRINUSE: (where) => `another program listens on ${where}: stop it, or name another --listen`,
  EADDRNOTAVAIL: (where) =>
    `this machine does not have the address of ${where}: --listen 0.0.0.0:PORT takes all it has`,
  EACCES: (where) => `this user may not listen on ${where}: take a port from 1024 on, or be root`,
};
