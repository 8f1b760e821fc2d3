/** What is wrong with the address of a lab, as a person gave it: undefined when it is one. */
export function faultOfLabUrl(url: string): string | undefined {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    return `${url} is no http:// or https:// address: expected one such as http://lab.example:8400`;
  }
  const [api] = /\/(api(\/v[\d.]+)?|RPC2)\/*$/.exec(url) ?? [];
  return api === undefined
    ? undefined
    : `${url} is an address of its API: expected that of the lab, ${url.slice(0, -api.length)}`;
}
