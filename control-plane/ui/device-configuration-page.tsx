import type { DeviceConfig, Origin } from "#protocol/lab.ts";
import { pathText, readYaml } from "#protocol/read-yaml.ts";
import type { BoardDevice } from "../domain/device-board.ts";
import { DeviceFrame } from "./device-frame.tsx";
import { Highlighted } from "./highlight.tsx";
import type { View } from "./view.ts";

interface Props {
  view: View;
  device: BoardDevice;
  /** Or why there is none. */
  config: DeviceConfig | string;
}

/** `/devices/HOSTNAME/configuration`: what a job gets to know of it, and which line of which template said so. */
export function DeviceConfigurationPage({ view, device, config }: Props) {
  const { hostname } = device;
  return (
    <DeviceFrame view={view} device={device} tab="/configuration">
      {typeof config === "string" ? (
        <p class="notice bad">{`There is no configuration: ${config}`}</p>
      ) : (
        <>
          <div class="toolbar">
            <p class="muted">
              {`What version ${config.version} of its dictionary renders to, without a job’s context. Beside each value is the line that set it.`}
            </p>
            <a href={`/api/v1/devices/${encodeURIComponent(hostname)}/configuration`}>Raw</a>
          </div>
          {config.warnings.map(({ template, line, message }) => (
            <p class="notice warn">{`${template} line ${line}: ${message}`}</p>
          ))}
          <WithOrigins hostname={hostname} config={config} />
        </>
      )}
    </DeviceFrame>
  );
}

function WithOrigins({ hostname, config }: { hostname: string; config: DeviceConfig }) {
  const origins = originsByLine(config);
  const lines = config.text.replace(/\n$/, "").split("\n");
  return (
    <div class="source origins" tabindex={0} role="region" aria-label="Configuration">
      {lines.map((line, n) => {
        const origin = origins.get(n + 1);
        return (
          <div id={`line-${n + 1}`} class="source-line">
            <code>
              <Highlighted line={line} />
            </code>
            {origin && <Where origin={origin} hostname={hostname} />}
          </div>
        );
      })}
    </div>
  );
}

function Where({ origin, hostname }: { origin: Origin; hostname: string }) {
  const { template, line, variable } = origin;
  if (template === "context") return <span class="origin">{`the lab: ${variable ?? ""}`}</span>;
  const isOwn = template === `devices/${hostname}.jinja2`;
  const place = isOwn ? `dictionary:${line}` : `${template}:${line}`;
  const text = variable === undefined ? place : `${place} ${variable}`;
  if (!isOwn) return <span class="origin">{text}</span>;
  const href = `/devices/${encodeURIComponent(hostname)}/dictionary#line-${line}`;
  return (
    <a class="origin own" href={href}>
      {text}
    </a>
  );
}

/** Of the first value that begins on each line. A configuration that was given as YAML has none. */
function originsByLine({ text, origins }: DeviceConfig): Map<number, Origin> {
  const found = new Map<number, Origin>();
  if (Object.keys(origins).length === 0) return found;
  const ends = lineEnds(text);
  for (const { path, start } of readYaml(text).leaves()) {
    const name = pathText(path);
    const origin = Object.hasOwn(origins, name) ? origins[name] : undefined;
    const line = lineAt(ends, start);
    if (origin && !found.has(line)) found.set(line, origin);
  }
  return found;
}

function lineEnds(text: string): number[] {
  const ends: number[] = [];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) ends.push(at);
  return ends;
}

/** From 1, by halving. */
function lineAt(ends: readonly number[], offset: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low + 1;
}
