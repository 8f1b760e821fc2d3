import { groupMembers } from "../conformance/group-members.ts";

groupMembers("embedded");
