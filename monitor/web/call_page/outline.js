// The outline of a face in a picture: a box in pixels of the frame, coloured by what is held of the face.

const SVG = "http://www.w3.org/2000/svg";

export function outline(face) {
  const rect = document.createElementNS(SVG, "rect");
  const [x0, y0, x1, y1] = face.box;
  for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0, rx: (x1 - x0) / 12 })) {
    rect.setAttribute(name, String(value));
  }
  rect.setAttribute("class", face.state);
  return rect;
}
