import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from "node:crypto";

/** 32 MB and about a fifth of a second of a small server, of OWASP's choices for scrypt the one with least memory but one. */
const COST = { logN: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** What we take from a stored hash: a damaged or hostile backup must not make us work for minutes. */
const MOST = { logN: 18, r: 16, p: 8 };

/** `$scrypt$ln=15,r=8,p=3$SALT$HASH`, both in base64 without `=`. The password is taken in NFKC: keyboards differ. */
export async function slowHash(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derived(password, salt, COST, HASH_BYTES);
  const { logN, r, p } = COST;
  return `$scrypt$ln=${logN},r=${r},p=${p}$${text(salt)}$${text(hash)}`;
}

/** False, too, for what is no such hash. */
export async function isSlowHashOf(password: string, stored: string): Promise<boolean> {
  const found =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]{16,86})\$([\w+/]{43,86})$/.exec(
      stored,
    );
  if (!found) return false;
  const [logN = 0, r = 0, p = 0] = found.slice(1, 4).map(Number);
  if (logN < 1 || r < 1 || p < 1 || logN > MOST.logN || r > MOST.r || p > MOST.p) return false;
  const salt = Buffer.from(found[4] ?? "", "base64");
  const hash = Buffer.from(found[5] ?? "", "base64");
  return timingSafeEqual(await derived(password, salt, { logN, r, p }, hash.length), hash);
}

function derived(
  password: string,
  salt: Buffer,
  { logN, r, p }: typeof COST,
  length: number,
): Promise<Buffer> {
  const N = 2 ** logN;
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFKC"), salt, length, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

const text = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
