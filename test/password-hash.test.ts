import { describe, expect, test } from "vitest";
import { isSlowHashOf, slowHash } from "../control-plane/password-hash.ts";
import { seal, unseal } from "../control-plane/sealed-text.ts";

describe("a password's hash", () => {
  test("knows its password and no other, and is another one each time", async () => {
    const [one, two] = [await slowHash("correct horse"), await slowHash("correct horse")];
    expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await isSlowHashOf("correct horse", one)).toBe(true);
    expect(await isSlowHashOf("correct horsf", one)).toBe(false);
  });

  test("is the same for a password that another keyboard composes otherwise", async () => {
    const hash = await slowHash("Grün\u00e4");
    expect(await isSlowHashOf("Gru\u0308na\u0308", hash)).toBe(true);
  });

  test("of other parameters is still good, so that they can be raised", async () => {
    // RFC 7914, section 12: the second vector, N=1024, r=8, p=16, is beyond ours; this one is of N=16384, r=8, p=1.
    const rfc = Buffer.from(
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
      "hex",
    );
    const [salt, key] = [Buffer.from("SodiumChloride"), rfc].map((bytes) =>
      bytes.toString("base64").replace(/=+$/, ""),
    );
    expect(await isSlowHashOf("pleaseletmein", `$scrypt$ln=14,r=8,p=1$${salt}$${key}`)).toBe(true);
  });

  test.each(["", "x", "$scrypt$ln=40,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A".repeat(43)])(
    "that is none, or would cost minutes, fits nothing: %s",
    async (stored) => expect(await isSlowHashOf("", stored)).toBe(false),
  );
});

describe("a sealed text", () => {
  test("opens under its secret in its own place, and nowhere else", () => {
    const sealed = seal("secret", "alice/token", "glpat-123 ä");
    expect(sealed).not.toContain("glpat");
    expect(seal("secret", "alice/token", "glpat-123 ä")).not.toBe(sealed);
    expect(unseal("secret", "alice/token", sealed)).toBe("glpat-123 ä");
    expect(unseal("other", "alice/token", sealed)).toBeUndefined();
    expect(unseal("secret", "bob/token", sealed)).toBeUndefined();
  });

  test("that was changed anywhere does not open", () => {
    const sealed = seal("secret", "", "text");
    for (let at = 3; at < sealed.length - 1; at++) {
      const other = sealed[at] === "A" ? "B" : "A";
      expect(
        unseal("secret", "", sealed.slice(0, at) + other + sealed.slice(at + 1)),
      ).toBeUndefined();
    }
    for (const text of ["", "v1.", "v1.AAAA", "v2.AAAA"])
      expect(unseal("secret", "", text)).toBeUndefined();
  });
});
