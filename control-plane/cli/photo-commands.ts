import { readFileSync } from "node:fs";
import type { PhotoList, PhotoView } from "#protocol/device-photos.ts";
import { argumentsOf, JSON_HELP, JSON_OPTION, textOf, type Command } from "./command.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";

/** Photos of devices and their cabling. */
export const photoCommands: readonly Command[] = [
  {
    usage: "devices photos list HOSTNAME",
    about: "list photos of a device",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) => {
      const [hostname = ""] = argumentsOf(context, "HOSTNAME");
      return printList<PhotoView>(
        context,
        photosAt(hostname),
        "photos",
        ["ID", "TYPE", "BYTES", "ADDED (UTC)", "BY", "CAPTION"],
        ({ id, media_type, bytes, added, user, caption }) => [
          ...[id.slice(0, 12), media_type, String(bytes), added.slice(0, 16).replace("T", " ")],
          ...[user, printable(caption)],
        ],
        ["HOSTNAME"],
      );
    },
  },
  {
    usage: "devices photos add HOSTNAME FILE",
    about: "add a photo (PNG, JPEG, WebP; 4 MB at most, 5 of a device)",
    options: { caption: { type: "string" } },
    help: ["--caption TEXT      what it shows"],
    run: async (context) => {
      const [hostname = "", file = ""] = argumentsOf(context, "HOSTNAME", "FILE");
      const caption = textOf(context.values, "caption") ?? "";
      const where = `${photosAt(hostname)}?${new URLSearchParams({ caption })}`;
      const photo = await context.client().send<PhotoView>("POST", where, readFileSync(file));
      context.terminal.say(`${hostname} has photo ${photo.id.slice(0, 12)}`);
      return 0;
    },
  },
  {
    usage: "devices photos remove HOSTNAME ID",
    about: "remove a photo of a device; the begin of its id will do",
    run: async (context) => {
      const [hostname = "", begin = ""] = argumentsOf(context, "HOSTNAME", "ID");
      const client = context.client();
      const { photos } = await client.json<PhotoList>("GET", photosAt(hostname));
      const found = photos.filter(({ id }) => begin !== "" && id.startsWith(begin));
      const [photo] = found;
      if (!photo || found.length > 1) {
        const why = photo ? "several photos begin with" : "no photo of it is";
        throw new Error(`${hostname}: ${why} ${printable(begin)} (pumice devices photos list)`);
      }
      await client.json("DELETE", `${photosAt(hostname)}/${photo.id}`);
      context.terminal.say(`photo ${photo.id.slice(0, 12)} of ${hostname} is removed`);
      return 0;
    },
  },
];

const photosAt = (hostname: string): string => `/devices/${encodeURIComponent(hostname)}/photos`;
